// The line at the top, and all that is known of the run.

function drawTop() {
  const [run] = state.runs;
  const goal = run.goal.trim() || run.name;
  tops.goal.textContent = goal.replace(/\s*\n\s*/g, "; ");
  tops.goal.title = goal;
  const steps = runSteps(0);
  const checked = run.success === true ? "good" : run.success === false ? "failed" : "";
  const kind = checked || { finished: "good", running: "live", needs_user: "held", refused: "held", stopped: "held", dry_run: "" }[run.status];
  const words = { true: ", and checked", false: ", but the check says no", null: "" }[run.success];
  const problems = state.runs.flatMap((each) => each.problems);
  tops.chips.replaceChildren(
    ...[
      chip(`${run.is_live && run.status === "running" ? "live" : run.status.replace("_", " ")}${words}`, kind ?? "failed", run.error ?? run.answer ?? ""),
      isTwo && chip(differing(state.pairs.filter((pair) => pair.differences.some(isGrave)).length, "step"), "differs"),
      run.source !== "agent" && chip(run.source),
      run.model && chip(run.model, "", "model"),
      chip(count(steps.length, "step")),
      run.started_s && run.ended_s && chip(inTime(run.ended_s - run.started_s), "", `${atTime(run.started_s)} to ${atTime(run.ended_s)}`),
      run.record.versions?.moonhand && chip(`moonhand ${run.record.versions.moonhand}`),
      problems.length > 0 && h("button", { type: "button", class: "chip failed", click: () => openDialog(aboutRun()) }, count(problems.length, "problem")),
      isTwo && h("span", { class: "versus" }, `${state.runs[0].name} and ${state.runs[1].name}`),
    ].filter(Boolean),
  );
}

function aboutRun() {
  const parts = state.runs.map((run) => [
    isTwo && h("h3", {}, run.name),
    run.problems.length > 0 && section("Problems", h("ul", { class: "problems" }, run.problems.map((words) => h("li", {}, words)))),
    section("Goal", h("pre", { tabindex: "0" }, run.goal)),
    rowsOf([
      ["status", run.status],
      ["checked", run.success === null ? "by nobody" : run.success ? "the goal was reached" : "the goal was not reached"],
      ["error", run.error],
      ["answer", run.answer],
      ["source", run.source],
      ["model", run.model],
      ["folder", run.name],
      ["started", run.started_s && atTime(run.started_s)],
    ]),
    section("Versions", rowsOf(Object.entries(run.record.versions ?? {}))),
    h("details", {}, h("summary", {}, "run.json"), h("pre", { tabindex: "0" }, JSON.stringify(run.record, null, 2))),
  ]);
  return ["About the run", parts];
}
