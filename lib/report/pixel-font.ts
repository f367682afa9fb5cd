/**
 * Capitals, digits and signs of 3 x 5 pixels, for captions in images. Drawn here, because text drawn with the fonts of
 * the machine looks different on each and is missing on servers that have none.
 */
export const glyphWidth = 3;
export const glyphHeight = 5;

/** Five rows from the top, each an octal digit whose bits are its pixels: 4 left, 2 middle, 1 right. */
const glyphs: Record<string, string> = {
  ' ': '00000', 0: '75557', 1: '26227', 2: '71747', 3: '71717', 4: '55711', 5: '74717', 6: '74757', 7: '71111', 8: '75757', 9: '75717',
  A: '25755', B: '65656', C: '34443', D: '65556', E: '74647', F: '74644', G: '34553', H: '55755', I: '72227', J: '11152', K: '55655',
  L: '44447', M: '57755', N: '65555', O: '25552', P: '65644', Q: '25563', R: '65655', S: '34216', T: '72222', U: '55557', V: '55552',
  W: '55775', X: '55255', Y: '55222', Z: '71247', '.': '00002', ',': '00024', ':': '02020', '-': '00700', '+': '02720', '/': '11244',
  '%': '51245', '(': '12221', ')': '42224', '=': '07070', '>': '42124', '<': '12421', _: '00007', "'": '22000', '!': '22202',
  '?': '71202', '*': '05250', '#': '57575', '[': '64446', ']': '31113', '|': '22222', '&': '25253', '"': '55000',
};

/** Calls `draw` for every pixel of a line of text set at the origin, one pixel between characters. */
export function drawText(text: string, draw: (x: number, y: number) => void): void {
  [...text.toUpperCase()].forEach((character, place) => {
    const glyph = glyphs[character] ?? glyphs['?']!;
    for (let y = 0; y < glyphHeight; y++) {
      for (let x = 0; x < glyphWidth; x++) {
        if ((Number(glyph[y]) >> (2 - x)) & 1) draw(place * (glyphWidth + 1) + x, y);
      }
    }
  });
}
