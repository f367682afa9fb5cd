// Which photograph lies on which texture in which split. Nothing is opened here.

/** Numbers in 0..1 that are a function of the words alone (FNV-1a, then mulberry32). */
export function randomNumbers(...words) {
  let state = 2166136261;
  for (const byte of Buffer.from(words.join('\n'))) state = Math.imul(state ^ byte, 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Each class has a texture of its own, that at the same place in the list.
 *
 * - train: the class on its own texture alone: the other groups are absent
 * - broad: all groups, but the share `off` of each class lies on the other textures, these in turn
 * - test: every photograph `views` times on every texture, as many photographs of each class
 *
 * Train and broad are of the same photographs, test of others.
 *
 * @param {{ class: string, texture: string, learn: string[], test: string[] }[]} classes photographs to learn from and to be tested with
 * @param {{ train: number, broad: number, views: number, off: number, seed: number | string }} options train and broad are images per class
 * @returns {{ split: 'train' | 'broad' | 'test', class: string, texture: string, photograph: string, number: number }[]}
 */
export function plan(classes, { train, broad, views, off, seed }) {
  const textures = classes.map((entry) => entry.texture);
  const tested = Math.min(...classes.map((entry) => entry.test.length));
  return classes.flatMap((entry) => {
    const others = textures.filter((texture) => texture !== entry.texture);
    const learn = shuffled(entry.learn, randomNumbers(seed, entry.class, 'learn'));
    const test = shuffled(entry.test, randomNumbers(seed, entry.class, 'test')).slice(0, tested);
    const item = (split, texture, photograph, number) => ({ split, class: entry.class, texture, photograph, number });
    const turn = (number) => learn[number % learn.length];
    return [
      ...numbers(train).map((n) => item('train', entry.texture, turn(n), n)),
      ...numbers(broad).map((n) => item('broad', n < Math.round(off * broad) ? others[n % others.length] : entry.texture, turn(n), n)),
      ...textures.flatMap((texture) => numbers(tested * views).map((n) => item('test', texture, test[n % tested], n))),
    ];
  });
}

const numbers = (count) => Array.from({ length: count }, (_, n) => n);

function shuffled(list, random) {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
