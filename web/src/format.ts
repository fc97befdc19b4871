// Numbers as ech0 prints them (src/base/units.cpp, src/report/figures.cpp).

export function memoryText(bytes: number): string {
  const size = Math.abs(bytes);
  if (size >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  if (size >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  if (size >= 2 ** 10) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return `${bytes} B`;
}

export function diskText(bytes: number): string {
  const size = Math.abs(bytes);
  if (size >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (size >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  if (size >= 1e3) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${bytes} B`;
}

export function countText(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** As printf's %.{digits}g for the magnitudes that occur here. */
export function significant(x: number, digits: number): string {
  if (x === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(x.toPrecision(digits)))));
  if (exponent >= -5 && exponent < digits) return Number(x.toPrecision(digits)).toString();
  const [mantissa, power] = x.toExponential(digits - 1).split("e") as [string, string];
  const sign = power.startsWith("-") ? "-" : "+";
  return `${Number(mantissa)}e${sign}${power.replace(/[+-]/, "").padStart(2, "0")}`;
}

/** With the zeros at the end, so that the figures of a column have as many digits: 17.0 above 15.6. */
export function withZeros(x: number, digits: number): string {
  return x === 0 || Math.abs(x) >= 10 ** digits ? significant(x, digits) : x.toPrecision(digits);
}

/** Divergences reach from 1e-7 to 10: about four significant digits, never as 1e-5. */
export function natsText(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 1 ? 3 : size >= 0.01 ? 4 : 6);
}

export const percentText = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`;

export function paramsText(n: number): string {
  if (n >= 1e9) return `${significant(n / 1e9, 3)} billion`;
  if (n >= 1e6 || n === 0) return n === 0 ? "none" : `${significant(n / 1e6, 3)} million`;
  return `${significant(n / 1e3, 3)} thousand`;
}

export function durationText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
