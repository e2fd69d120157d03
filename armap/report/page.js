(() => {
  const filter = document.querySelector(".filter");
  if (!filter) return;
  const examples = [...document.querySelectorAll(".example")];
  const [planner, verdict] = filter.querySelectorAll("select");
  const count = filter.querySelector("output");
  const apply = () => {
    let shown = 0;
    for (const example of examples) {
      const fits =
        (!planner.value || example.dataset.planner === planner.value) &&
        (!verdict.value || example.dataset.verdict === verdict.value);
      example.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${examples.length} shown`;
  };
  filter.addEventListener("change", apply);
  filter.hidden = false;
  apply();
})();
