/** A cell of a CSV file as of RFC 4180: quoted where it must be. */
export function csvCell(value: number | string | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
