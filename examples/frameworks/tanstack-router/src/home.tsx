export function Home() {
  return (
    <>
      <h1>Home</h1>
      <p>Anybody may read this.</p>
    </>
  )
}
