// The button's picture: the shape of the standing with its letter.

import { MARKS } from "../core/summary.js";

const SIZES = [16, 32];
const OUTLINES = {
  circle: (pen, size) => pen.arc(size / 2, size / 2, size / 2, 0, 2 * Math.PI),
  square: (pen, size) => pen.roundRect(0, 0, size, size, size / 8),
  triangle: (pen, size) => polygon(pen, [[0.5, 0], [1, 1], [0, 1]], size),
  diamond: (pen, size) => polygon(pen, [[0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5]], size),
};

function polygon(pen, corners, size) {
  for (const [x, y] of corners) pen.lineTo(x * size, y * size);
  pen.closePath();
}

/** @param {string} standing @returns {Record<number, ImageData>} */
export function pictures(standing) {
  return Object.fromEntries(SIZES.map((size) => [size, picture(MARKS[standing], size)]));
}

function picture({ letter, shape, colour }, size) {
  const pen = new OffscreenCanvas(size, size).getContext("2d");
  pen.fillStyle = colour;
  pen.beginPath();
  OUTLINES[shape](pen, size);
  pen.fill();
  pen.fillStyle = "#ffffff";
  pen.font = `bold ${size * 0.62}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(letter, size / 2, size * (shape === "triangle" ? 0.68 : 0.55));
  return pen.getImageData(0, 0, size, size);
}
