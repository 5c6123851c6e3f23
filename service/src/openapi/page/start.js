/** Starts Swagger UI on the document of the same service. The token that a reader enters is kept in the memory of the page alone. */
const { SwaggerUIBundle } = /** @type {{ SwaggerUIBundle: (options: object) => void }} */ (
  /** @type {unknown} */ (window)
);

SwaggerUIBundle({
  url: '/openapi.json',
  domNode: document.getElementById('api'),
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  // A request with the session of this browser needs the header; a page of another origin cannot send it.
  requestInterceptor: (/** @type {{ headers: Record<string, string> }} */ request) => {
    request.headers['x-fit-csrf'] = '1';
    return request;
  },
  tryItOutEnabled: true,
  // The validator is a service on the internet.
  validatorUrl: null,
});
