// Two clients of Node against the edge: fetch (undici) and http.Agent.
// usage: node fetch.js URL; prints one line of JSON: what was seen.
"use strict";
const http = require("http");
const base = process.argv[2];
const seen = { fetched: 0, posted: 0, streamed: 0, agent: 0, sockets: 0, statuses: {} };

function count(status) {
	seen.statuses[status] = (seen.statuses[status] || 0) + 1;
}

async function fetchOnce(path, options) {
	const answer = await fetch(base + path, options);
	count(answer.status);
	return Buffer.from(await answer.arrayBuffer());
}

function agentOnce(agent, path, body) {
	return new Promise((resolve, reject) => {
		const request = http.request(base + path, { agent, method: body ? "POST" : "GET" }, (answer) => {
			const parts = [];
			count(answer.statusCode);
			answer.on("data", (part) => parts.push(part));
			answer.on("end", () => resolve(Buffer.concat(parts)));
			answer.on("error", reject);
		});
		request.on("socket", (socket) => {
			if (!socket.seenBefore) {
				socket.seenBefore = true;
				seen.sockets++;
			}
		});
		request.on("error", reject);
		if (body)
			request.write(body);	// no length is given: chunked
		request.end();
	});
}

async function* parts(count, text) {
	for (let i = 0; i < count; i++)
		yield Buffer.from(text);
}

async function main() {
	const body = "x".repeat(100000);

	for (let round = 0; round < 20; round++) {
		const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => fetchOnce(`/echo?${round}-${i}`)));
		seen.fetched += answers.length;
	}
	for (let i = 0; i < 10; i++)
		seen.posted += (await fetchOnce("/echo", { method: "POST", body })).length === body.length;
	for (let i = 0; i < 5; i++)
		seen.streamed += (await fetchOnce("/echo", { method: "POST", body: parts(20, "abcde".repeat(500)), duplex: "half" })).length === 50000;
	const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
	for (let i = 0; i < 30; i++)
		seen.agent += (await agentOnce(agent, "/echo", i % 3 ? null : "hello")).toString() === (i % 3 ? "" : "hello");
	agent.destroy();
	console.log(JSON.stringify(seen));
	process.exit(0);
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
