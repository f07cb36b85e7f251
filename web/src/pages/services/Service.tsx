export function Service() { return <h1>Service</h1>; }
