// Compiles only while the generated types say what a client of the event stream needs to know.
import type { components, paths } from "./api";

type Job = components["schemas"]["JobRead"];
type JobEvents = components["schemas"]["JobEvents"];
type Stream = paths["/api/v1/jobs/{job_id}/events"]["get"]["responses"][200]["content"];
type Frame = Stream["text/event-stream"];
type Accepted =
  paths["/api/v1/routes"]["post"]["responses"][202]["content"]["application/json"];
type Refused =
  paths["/api/v1/routes"]["post"]["responses"][422]["content"]["application/problem+json"];

// `unknown` and `any` would pass every other check of this file
type Exactly<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const texts: Exactly<Frame["data"], string> = true;
const names: Exactly<Frame["event"], keyof JobEvents> = true;
const fraction: Exactly<JobEvents["job.progress"]["progress"]["fraction"], number> = true;
const noUnknownJob: Exactly<JobEvents["job.succeeded"]["job"], unknown> = false;
const noUnknownStatus: Exactly<Job["status"], string> = false;

function dataOf<Name extends Frame["event"]>(frame: { event: Name; data: string }): JobEvents[Name] {
  return JSON.parse(frame.data);
}

export function told(frame: Frame): string | number | undefined {
  switch (frame.event) {
    case "job.snapshot":
      return dataOf(frame).status;
    case "job.progress":
      return dataOf(frame).progress.fraction;
    case "job.retrying":
      return dataOf(frame).next_attempt_at;
    case "job.succeeded":
    case "job.failed":
    case "job.cancelled":
    case "job.expired":
      return dataOf(frame).job.status;
    // @ts-expect-error: there is no such event
    case "job.lost":
      return undefined;
  }
}

export function resumeFrom(frame: Frame): string | undefined {
  return "id" in frame ? frame.id : undefined;
}

export function addressOf(answer: Accepted): string {
  return answer.data.links.events;
}

export function wrongFields(problem: Refused): string[] {
  return Object.keys(problem.field_errors ?? {});
}

export const checked = [texts, names, fraction, noUnknownJob, noUnknownStatus];
