/** A line so small that it needs no axis. Nulls are gaps. */
export function Sparkline({
  values,
  color,
  label,
  width = 120,
  height = 24,
  area = true,
  max: givenMax,
}: {
  values: readonly (number | null)[];
  color: string;
  label: string;
  width?: number;
  height?: number;
  area?: boolean;
  max?: number;
}) {
  const max = Math.max(givenMax ?? 0, ...values.map((value) => value ?? 0), 1e-9);
  const x = (at: number) => (values.length < 2 ? width / 2 : (at / (values.length - 1)) * width);
  const y = (value: number) => height - 1.5 - (value / max) * (height - 3);
  let path = "";
  let open = false;
  values.forEach((value, at) => {
    if (value === null) open = false;
    else {
      path += `${open ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      open = true;
    }
  });
  const whole = values.every((value) => value !== null);
  return (
    <svg
      className="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      {area && whole && values.length > 1 && (
        <path d={`${path}L${width} ${height}L0 ${height}Z`} fill={color} opacity={0.14} />
      )}
      <path
        d={path}
        fill="none"
        stroke={color}
        strokeWidth={1.4}
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
