/** What openapi-typescript makes of the API that each client meets. */

type Json<Content> = { headers: { [name: string]: unknown }; content: { 'application/json': Content } }

export interface paths {
  '/items/{id}': {
    get: { parameters: { path: { id: string } }; responses: { 200: Json<{ id: string; name: string }> } }
  }
  '/messages': {
    post: {
      requestBody: { content: { 'application/json': { text: string } } }
      responses: { 200: Json<{ text: string }> }
    }
  }
  '/reports': {
    get: { responses: { 200: Json<unknown>; 403: Json<{ error: string; error_description: string }> } }
  }
  '/lines': {
    get: { responses: { 200: { headers: { [name: string]: unknown }; content: { 'text/plain': string } } } }
  }
}
