import { connection } from 'next/server'
import { LoginForm } from './form'

export default async function Login() {
  await connection()
  return <LoginForm />
}
