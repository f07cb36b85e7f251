export function Logs() { return <h1>Logs</h1>; }
