{{/*
A part that runs: Deployment, service account, disruption budget, autoscaler.
(dict "root" $ "part" "api" "values" .Values.api "env" "…" "startSeconds" 300; optional: "ports", "mountHome", "kubernetes")
Probes look at the file that a part keeps while it takes work (LONGHAND_READY_FILE), so a stop begins with "not ready".
*/}}
{{- define "longhand.part" -}}
{{- $root := .root }}
{{- $name := printf "%s-%s" (include "longhand.name" $root) .part }}
{{- $scope := dict "root" $root "part" .part }}
{{- $claim := include "longhand.claim" $root }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "longhand.labels" $scope | nindent 4 }}
  {{- with .values.serviceAccountAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "longhand.labels" $scope | nindent 4 }}
spec:
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "longhand.selector" $scope | nindent 6 }}
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  template:
    metadata:
      labels: {{- include "longhand.labels" $scope | nindent 8 }}
      annotations:
        longhand/models: {{ toJson $root.Values.models | sha256sum | trunc 16 | quote }}
        longhand/targets: {{ toJson $root.Values.sandboxes.targets | sha256sum | trunc 16 | quote }}
        {{- with .values.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: {{ .kubernetes | default false }}
      # A service's variables would be taken for Longhand's own settings.
      enableServiceLinks: false
      terminationGracePeriodSeconds: 40
      securityContext: {{- include "longhand.podSecurity" $root | nindent 8 }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - { name: {{ . | quote }} }
        {{- end }}
      {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      affinity:
        {{- if .values.affinity }}
        {{- toYaml .values.affinity | nindent 8 }}
        {{- else }}
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector:
                  matchLabels: {{- include "longhand.selector" $scope | nindent 20 }}
        {{- end }}
      containers:
        - name: {{ .part }}
          image: {{ include "longhand.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .part }}]
          env:
            {{- include "longhand.temporalEnv" $root | nindent 12 }}
            {{- include "longhand.blobEnv" $root | nindent 12 }}
            - { name: LONGHAND_HOME, value: /srv/longhand/home }
            - { name: LONGHAND_READY_FILE, value: /run/longhand/ready }
            {{- if $root.Values.sandboxes.targets }}
            - { name: LONGHAND_TARGETS, value: /etc/longhand/targets/targets.yaml }
            {{- end }}
            # Read only: the image has the workflows' bundle there.
            - { name: XDG_CACHE_HOME, value: /var/cache }
            - { name: HOME, value: /tmp }
            {{- .env | nindent 12 }}
          {{- with .ports }}
          ports: {{- toYaml . | nindent 12 }}
          {{- end }}
          resources: {{- toYaml .values.resources | nindent 12 }}
          securityContext: {{- include "longhand.containerSecurity" $root | nindent 12 }}
          startupProbe:
            exec: { command: [test, -e, /run/longhand/ready] }
            periodSeconds: 2
            failureThreshold: {{ div .startSeconds 2 }}
          readinessProbe:
            exec: { command: [test, -e, /run/longhand/ready] }
            periodSeconds: 5
            timeoutSeconds: 5
          # The file is renewed every 5 s by a process that is awake.
          livenessProbe:
            exec: { command: [sh, -c, "find /run/longhand/ready -mmin -1 | grep -q ."] }
            periodSeconds: 20
            timeoutSeconds: 10
          volumeMounts:
            {{- if $claim }}
            - { name: blobs, mountPath: /srv/longhand/blobs }
            {{- end }}
            - { name: scratch, mountPath: /srv/longhand/home, subPath: home }
            - { name: scratch, mountPath: /tmp, subPath: tmp }
            - { name: scratch, mountPath: /run/longhand, subPath: run }
            {{- include "longhand.temporalMounts" $root | nindent 12 }}
            {{- if and $root.Values.models (ne .part "hands") }}
            - { name: models, mountPath: /etc/longhand/models, readOnly: true }
            {{- end }}
            {{- if $root.Values.sandboxes.targets }}
            - { name: targets, mountPath: /etc/longhand/targets, readOnly: true }
            {{- end }}
      volumes:
        {{- if $claim }}
        - { name: blobs, persistentVolumeClaim: { claimName: {{ $claim | quote }} } }
        {{- end }}
        - { name: scratch, emptyDir: { sizeLimit: 2Gi } }
        {{- include "longhand.temporalVolumes" $root | nindent 8 }}
        {{- if and $root.Values.models (ne .part "hands") }}
        - { name: models, configMap: { name: {{ include "longhand.name" $root }}-models } }
        {{- end }}
        {{- if $root.Values.sandboxes.targets }}
        - { name: targets, configMap: { name: {{ include "longhand.name" $root }}-targets } }
        {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "longhand.labels" $scope | nindent 4 }}
spec:
  # Not minAvailable: with one replica that would keep its node from being drained for ever.
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "longhand.selector" $scope | nindent 6 }}
{{- if .values.autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "longhand.labels" $scope | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ $name }} }
  minReplicas: {{ .values.autoscaling.minReplicas }}
  maxReplicas: {{ .values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: { name: cpu, target: { type: Utilization, averageUtilization: {{ .values.autoscaling.cpu }} } }
  behavior:
    # Each stop hands its work over, which its sessions feel: not more than one in five minutes.
    scaleDown: { policies: [{ type: Pods, value: 1, periodSeconds: 300 }] }
{{- end }}
{{- end }}
