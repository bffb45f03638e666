// The pictures: text in the page until one is shown, then decoded off the main thread and kept while there is room.

const ROOM_BYTES = 200e6;
const pictures = new Map(); // name -> what the page is told of it
const decoded = new Map(); // name -> {promise, bytes}, the least recently shown first

function bytesOf(picture) {
  const text = picture.data ?? byId(`p-${picture.name}`)?.textContent ?? "";
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function decode(name) {
  const held = decoded.get(name);
  if (held) {
    decoded.delete(name);
    decoded.set(name, held);
    return held.promise;
  }
  const picture = pictures.get(name);
  const entry = { promise: compose(name), bytes: picture ? picture.width_px * picture.height_px * 4 : 0 };
  decoded.set(name, entry);
  entry.promise.catch(() => decoded.delete(name));
  makeRoom();
  return entry.promise;
}

// What stands on another picture is drawn over it; what is transparent in it stays as it was.
async function compose(name) {
  const picture = pictures.get(name);
  if (!picture) throw new Error("this picture is not in the page");
  if (picture.problem) throw new Error(picture.problem);
  let part;
  try {
    part = await createImageBitmap(new Blob([bytesOf(picture)]), { colorSpaceConversion: "none" });
  } catch {
    throw new Error("this picture cannot be decoded");
  }
  if (picture.base === null) return part;
  const below = await decode(picture.base);
  const canvas = h("canvas", { width: picture.width_px, height: picture.height_px });
  const pen = canvas.getContext("2d", { alpha: false });
  pen.drawImage(below, 0, 0);
  pen.drawImage(part, picture.left_px, picture.top_px);
  part.close();
  return canvas;
}

function makeRoom() {
  let bytes = 0;
  for (const entry of decoded.values()) bytes += entry.bytes;
  for (const [name, entry] of decoded) {
    if (bytes <= ROOM_BYTES || decoded.size <= 4) return;
    decoded.delete(name);
    bytes -= entry.bytes;
  }
}

function pixelsOf(image) {
  const canvas = h("canvas", { width: image.width, height: image.height });
  const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return pen.getImageData(0, 0, image.width, image.height).data;
}

// Where two pictures of one size differ: {boxes: [[left, top, width, height]], share of the pixels}; null for other sizes.
const TILE = 8;
function differenceOf(one, other, tolerance) {
  if (one.width !== other.width || one.height !== other.height) return null;
  const [width, height] = [one.width, one.height];
  const [a, b] = [pixelsOf(one), pixelsOf(other)];
  const words = [new Uint32Array(a.buffer), new Uint32Array(b.buffer)];
  const [columns, rows] = [Math.ceil(width / TILE), Math.ceil(height / TILE)];
  const tiles = new Uint8Array(columns * rows);
  let changed = 0;
  for (let at = 0; at < words[0].length; at++) {
    if (words[0][at] === words[1][at]) continue;
    if (tolerance) {
      const i = at * 4;
      const most = Math.max(Math.abs(a[i] - b[i]), Math.abs(a[i + 1] - b[i + 1]), Math.abs(a[i + 2] - b[i + 2]));
      if (most <= tolerance) continue;
    }
    changed++;
    tiles[Math.floor(at / width / TILE) * columns + Math.floor((at % width) / TILE)] = 1;
  }
  return { boxes: boxesOf(tiles, columns, rows, width, height), share: changed / (width * height), changed };
}

// Tiles that touch, or that two tiles part, belong to one box.
function boxesOf(tiles, columns, rows, width, height) {
  const boxes = [];
  for (let start = 0; start < tiles.length; start++) {
    if (tiles[start] !== 1) continue;
    let [left, top, right, bottom] = [columns, rows, 0, 0];
    const waiting = [start];
    tiles[start] = 2;
    while (waiting.length) {
      const at = waiting.pop();
      const [x, y] = [at % columns, Math.floor(at / columns)];
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
      for (let ny = Math.max(0, y - 2); ny <= Math.min(rows - 1, y + 2); ny++) {
        for (let nx = Math.max(0, x - 2); nx <= Math.min(columns - 1, x + 2); nx++) {
          if (tiles[ny * columns + nx] !== 1) continue;
          tiles[ny * columns + nx] = 2;
          waiting.push(ny * columns + nx);
        }
      }
    }
    const [x0, y0] = [Math.max(0, left * TILE - 3), Math.max(0, top * TILE - 3)];
    const [x1, y1] = [Math.min(width, (right + 1) * TILE + 3), Math.min(height, (bottom + 1) * TILE + 3)];
    boxes.push([x0, y0, x1 - x0, y1 - y0]);
  }
  return boxes;
}
