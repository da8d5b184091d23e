// Follows one job with a standard EventSource until the server says 204, and prints what it saw,
// one JSON object per line: {"open"}, {"id", "event", "seq"} per event, {"closed": status}.
import { EventSource } from "eventsource";

const [url, token] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));

const source = new EventSource(url, {
  fetch: (input, init) =>
    fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
});

const names = ["snapshot", "queue", "queued", "started", "progress", "delta", "artifact"];
names.push("retrying", "succeeded", "failed", "cancelled", "expired");
for (const name of names) {
  source.addEventListener(`job.${name}`, (event) => {
    const { seq, status } = JSON.parse(event.data);
    say({ event: event.type, id: event.lastEventId, seq, status });
  });
}
source.addEventListener("open", () => say({ open: true }));
source.addEventListener("error", (event) => {
  if (source.readyState === EventSource.CLOSED) say({ closed: event.code });
});
