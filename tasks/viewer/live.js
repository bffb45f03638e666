// A run that goes on: each event brings pictures, a step, or how the run stands.
function listen() {
  const events = new EventSource("events");
  events.onmessage = ({ data: text }) => {
    const event = JSON.parse(text);
    event.pictures?.forEach((picture) => pictures.set(picture.name, picture));
    if (event.run) Object.assign(state.runs[0], event.run);
    if (event.step) {
      runSteps(0).push(event.step);
      pairUp();
      const isFollowing = state.isFollowing;
      strip.grow();
      if (state.query) setQuery(search.value);
      if (isFollowing || state.at < 0) show(state.pairs.length - 1);
    }
    if (event.is_over) events.close();
    drawTop();
  };
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED && state.runs[0].status === "running") tops.chips.firstChild.textContent = "live: waiting for the run";
  };
}
