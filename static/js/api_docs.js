/* The API's description, drawn by Swagger UI from our own files. Nothing is asked of another host. */
"use strict";

(() => {
  const place = document.getElementById("api-docs");
  const root = document.documentElement;
  const { schema, csrf } = place.dataset;

  // Swagger UI has a look for the dark of its own; it follows the page's theme.
  const darken = () => {
    const chosen = root.dataset.theme;
    const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.classList.toggle("dark-mode", dark);
  };
  darken();
  document.addEventListener("themechange", darken);

  window.SwaggerUIBundle({
    url: schema,
    domNode: place,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
    syntaxHighlight: { activated: false },
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    // A write with the browser's session proves that it comes from this page.
    requestInterceptor: (request) => {
      const ours = new URL(request.url, location.href).origin === location.origin;
      if (ours && !["GET", "HEAD"].includes(request.method ?? "GET")) request.headers["X-CSRFToken"] = csrf;
      return request;
    },
  });
})();
