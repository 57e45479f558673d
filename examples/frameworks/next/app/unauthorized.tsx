import { LoginForm } from './login/form'

/** In place of any page that needs a session, with status 401, at the URL that was asked for. */
export default function Unauthorized() {
  return <LoginForm />
}
