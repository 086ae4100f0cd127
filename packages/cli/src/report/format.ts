// Numbers as people read them. Every function takes one unit and says it in its name.

/** 950 ns, 12.3 µs, 4.56 ms, 7.89 s. */
export function formatMicroseconds(us: number): string {
  if (us === 0) return "0 µs";
  if (us < 1) return `${significant(us * 1e3)} ns`;
  if (us < 1e3) return `${significant(us)} µs`;
  if (us < 1e6) return `${significant(us / 1e3)} ms`;
  return `${significant(us / 1e6)} s`;
}

/** Powers of ten: 512 B, 1.50 kB, 2.00 MB. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : significant(value)} ${units[unit]}`;
}

/** 12,345,678 */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** 671 B, 21.5 M: counts of parameters. */
export function formatMagnitude(count: number): string {
  if (count >= 1e9) return `${significant(count / 1e9)} B`;
  if (count >= 1e6) return `${significant(count / 1e6)} M`;
  return count >= 1e3 ? `${significant(count / 1e3)} k` : String(count);
}

/** 0.873 as 87.3 %; null as "–". */
export function formatFraction(fraction: number | null): string {
  return fraction === null ? "–" : `${(fraction * 100).toFixed(1)} %`;
}

/** 0,1,2,3,8 as 0-3, 8; nothing as "–". */
export function formatRanges(indices: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < indices.length;) {
    let last = i;
    while (last + 1 < indices.length && indices[last + 1] === indices[last]! + 1) last += 1;
    parts.push(last === i ? `${indices[i]}` : `${indices[i]}-${indices[last]}`);
    i = last + 1;
  }
  return parts.length === 0 ? "–" : parts.join(", ");
}

/** 16 as it is, 1.23 with three digits, thousands with commas. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? formatCount(value) : significant(value);
}

/** Three significant digits, and all digits before the point: 1,234, 123, 12.3, 1.23, 0.0123. */
export function significant(value: number): string {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  if (Math.abs(rounded) >= 1000) return formatCount(value);
  const digitsBefore = Math.max(0, Math.floor(Math.log10(Math.abs(rounded)))) + 1;
  return Math.abs(rounded) < 1 ? String(rounded) : rounded.toFixed(3 - digitsBefore);
}
