/* Passkeys: a form that says data-passkey="get" or "create" asks the browser before it is sent. What is asked for comes
   from the server, in the page (data-from) or at an address (data-options). */
"use strict";

(() => {
  const options = async (form) => {
    if (form.dataset.from) return JSON.parse(document.querySelector(form.dataset.from).textContent);
    const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    return answer.json();
  };

  const create = (asked, passwordless) => {
    const choice = asked.publicKey.authenticatorSelection;
    choice.residentKey = passwordless ? "required" : "discouraged";
    choice.requireResidentKey = passwordless;
    if (passwordless) choice.userVerification = "required";
    return window.webauthnJSON.create(asked);
  };

  const WORDS = {
    NotAllowedError: "Nothing was chosen, or it took too long. Try again.",
    InvalidStateError: "This passkey is set up already.",
    SecurityError: "Passkeys work at this site's own address over HTTPS only.",
    NotSupportedError: "This browser or key cannot do that. Try without the tick, or use the app.",
  };

  const ask = async (form) => {
    const error = form.querySelector("[data-passkey-error]");
    error.hidden = true;
    try {
      const asked = await options(form);
      const credential =
        form.dataset.passkey === "create"
          ? await create(structuredClone(asked.creation_options), form.elements.passwordless.checked)
          : await window.webauthnJSON.get(asked.request_options);
      form.elements.credential.value = JSON.stringify(credential);
      form.submit(); // sends the form without asking again
    } catch (fault) {
      error.textContent = WORDS[fault.name] ?? "That did not work. Try again, or sign in another way.";
      error.hidden = false;
    }
  };

  // On the document, so that it holds before the form is there: nobody is too fast for it.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-passkey]")) return;
    event.preventDefault();
    ask(event.target);
  });
})();
