import type { RunEvent } from "#e2e/base/events.ts";
import type { ScenarioResult } from "#e2e/runner/run-scenarios.ts";
import { scenarioId } from "#e2e/runner/scenario.ts";

/**
 * Renders the run as one page without external references. Each scenario has a bar on the time axis of the run and a
 * table of its events below it, which a text field filters.
 */
export function htmlTimeline(
  results: readonly ScenarioResult[],
  events: readonly RunEvent[],
  title: string,
): string {
  // Some events are reported late, since the records of the servers are read when their deployment ends.
  const ordered = events.toSorted((left, right) => left.atMs - right.atMs);
  const startMs = ordered[0]?.atMs ?? 0;
  const endMs = Math.max(startMs + 1, ordered.at(-1)?.atMs ?? 0);
  const sections = results.map((result) =>
    section(
      result,
      ordered.filter((event) => event.scenario === scenarioId(result.scenario)),
      startMs,
      endMs,
    ),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body><h1>${escape(title)}</h1>
<p>${((endMs - startMs) / 1000).toFixed(1)} s. Click a scenario for its events; the field below filters them.</p>
<input id="filter" placeholder="filter events" autofocus>
${sections.join("\n")}
<script>${SCRIPT}</script></body></html>
`;
}

function section(
  result: ScenarioResult,
  events: readonly RunEvent[],
  startMs: number,
  endMs: number,
): string {
  const place = (atMs: number): string =>
    `${(((atMs - startMs) / (endMs - startMs)) * 100).toFixed(3)}%`;
  const first = events[0]?.atMs ?? startMs;
  const last = events.at(-1)?.atMs ?? first;
  const width = `${(((last - first) / (endMs - startMs)) * 100).toFixed(3)}%`;
  const ticks = events.map(
    (event) =>
      `<i class="${event.source}" style="left:${place(event.atMs)}" title="${escape(
        `+${event.atMs - startMs} ms ${event.source} ${event.event}`,
      )}"></i>`,
  );
  const rows = events.map(
    (event) =>
      `<tr><td>${event.atMs - startMs}</td><td class="${event.source}">${event.source}</td>` +
      `<td>${escape(event.event)}</td><td>${escape(fieldsText(event))}</td></tr>`,
  );
  const failure = result.failure
    ? `<p class="failure">${escape(`${result.failure.kind}: ${result.failure.error.message}`)}</p>`
    : "";
  return `<details${result.status === "failed" ? " open" : ""}><summary class="${result.status}">
<b>${escape(scenarioId(result.scenario))}</b> ${result.status}, ${(result.durationMs / 1000).toFixed(2)} s
<div class="track"><span style="left:${place(first)};width:${width}"></span>${ticks.join("")}</div></summary>
<p>${escape(result.scenario.title)}</p>${failure}
<table><tr><th>ms</th><th>source</th><th>event</th><th>fields</th></tr>${rows.join("")}</table></details>`;
}

function fieldsText(event: RunEvent): string {
  return Object.entries(event.fields)
    .map(([name, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value, plain);
      return `${name}=${text}`;
    })
    .join(" ");
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const STYLE = `
body{font:14px system-ui,sans-serif;margin:1.5rem;color:#222;background:#fff}
summary{cursor:pointer;padding:.3rem 0}summary.passed b{color:#176f2c}summary.failed b{color:#b3261e}
.track{position:relative;height:14px;background:#eee;margin-top:.2rem}
.track span{position:absolute;top:0;height:14px;background:#cfe3f7}
.track i{position:absolute;top:0;width:2px;height:14px;background:#666}
table{border-collapse:collapse;width:100%;font:12px ui-monospace,monospace}
td,th{text-align:left;border-bottom:1px solid #eee;padding:1px 8px 1px 0;vertical-align:top;word-break:break-word}
.failure{color:#b3261e;white-space:pre-wrap}
i.pod{background:#7b3ff2}i.action-endpoint{background:#d1580a}i.broker{background:#0a6fd1}i.scenario{background:#111}
i.checker{background:#b3261e}
td.pod{color:#7b3ff2}td.action-endpoint{color:#d1580a}td.broker{color:#0a6fd1}td.checker{color:#b3261e}`;

const SCRIPT = `
const filter=document.getElementById("filter");
filter.addEventListener("input",()=>{const text=filter.value.toLowerCase();
for(const row of document.querySelectorAll("tr")){if(row.querySelector("td"))
row.hidden=!row.textContent.toLowerCase().includes(text)}});`;
