/** Prints the path of the tool server's bundle, made in the folder that is given: what the image has to hold. */
import { bundleToolServer } from '../../sandbox/bundle.ts';

const folder = process.argv[2];
if (!folder) throw new Error('node k8s/image/bundle.ts <folder>');
process.stdout.write(`${await bundleToolServer(folder)}\n`);
