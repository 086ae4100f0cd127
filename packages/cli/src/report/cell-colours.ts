// Colours of pictures made of characters, from the 256 that terminals have. Without colour support the text stays as it
// is, so a picture must be readable without.

import type { Colours } from "../screen.ts";

/** Numbers of the 256-colour palette; a missing one leaves the terminal's own. */
export interface CellColour {
  readonly foreground?: number;
  readonly background?: number;
  readonly isBold?: boolean;
}

const ESCAPE = "\u001B[";

export function paint(text: string, colour: CellColour | undefined, colours: Colours): string {
  if (!colours.isColorSupported || colour === undefined || text === "") return text;
  const codes = [
    ...(colour.isBold === true ? ["1"] : []),
    ...(colour.foreground === undefined ? [] : [`38;5;${colour.foreground}`]),
    ...(colour.background === undefined ? [] : [`48;5;${colour.background}`]),
  ];
  return codes.length === 0 ? text : `${ESCAPE}${codes.join(";")}m${text}${ESCAPE}0m`;
}

/** A line of characters, each with its colour; neighbours of one colour are painted together. */
export function paintCells(
  cells: readonly { readonly text: string; readonly colour: CellColour | undefined }[],
  colours: Colours,
): string {
  let line = "";
  let text = "";
  let colour: CellColour | undefined;
  for (const cell of cells) {
    if (cell.colour !== colour) {
      line += paint(text, colour, colours);
      text = "";
      colour = cell.colour;
    }
    text += cell.text;
  }
  return line + paint(text, colour, colours);
}
