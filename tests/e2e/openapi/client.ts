// Compiles only while the generated types say what a client of the event stream needs to know.
import type { components, paths } from "./api";

type Job = components["schemas"]["JobRead"];
type JobEvent = components["schemas"]["JobEventRead"];
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
const names: Exactly<NonNullable<Frame["event"]>, string> = true;
const noUnknownJob: Exactly<JobEvent["job"], unknown> = false;
const noUnknownStatus: Exactly<Job["status"], string> = false;

export function fractionOf(frame: Frame): number | undefined {
  const event: JobEvent = JSON.parse(frame.data);
  return event.progress?.fraction;
}

export function endOf(frame: Frame): Job["status"] | undefined {
  const event: JobEvent = JSON.parse(frame.data);
  return event.job?.status;
}

export function addressOf(answer: Accepted): string {
  return answer.data.links.events;
}

export function wrongFields(problem: Refused): string[] {
  return Object.keys(problem.field_errors ?? {});
}

export const checked = [texts, names, noUnknownJob, noUnknownStatus];
