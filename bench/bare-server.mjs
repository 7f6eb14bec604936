/** What runs in the bare sandbox: a Node HTTP server that dials out, as the tool server does, and answers. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';

const { dial } = JSON.parse(readFileSync(process.argv[2], 'utf8')).serve;
const server = createServer((_request, response) => response.end('ok'));
const socket = connect(dial, () => server.emit('connection', socket));
