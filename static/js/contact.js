/* Writing to participants: a variable is inserted where the cursor stands. Everything else is links and forms. */
"use strict";

document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-insert]");
  if (!chip) return;
  const field = document.querySelector("#body");
  field.setRangeText(`{{ ${chip.dataset.insert} }}`, field.selectionStart, field.selectionEnd, "end");
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
