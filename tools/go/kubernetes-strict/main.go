// Reads Kubernetes manifests from standard input and decodes each into the type of its kind, strictly: an unknown
// field, a field given twice and a value of the wrong type are errors, as is a kind that Kubernetes does not have.
// It prints one JSON object a line, as Kubernetes understood it. What only an API server knows (whether values fit each
// other, expressions of admission policies) is not looked at.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

func main() {
	wrong := 0
	reader := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = decode(document)
		}
		if err != nil {
			wrong++
			fmt.Fprintf(os.Stderr, "document %d: %v\n", number, err)
		}
	}
	if wrong > 0 {
		os.Exit(1)
	}
}

func decode(document []byte) error {
	var found header
	if err := yaml.Unmarshal(document, &found); err != nil {
		return err
	}
	if found == (header{}) {
		return nil // only comments
	}
	name := fmt.Sprintf("%s %s", found.Kind, found.Metadata.Name)
	object, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(found.APIVersion, found.Kind))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	line, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Println(string(line))
	return nil
}
