/** Rows of panels → places on Grafana's grid of 24 columns. */
import type { PanelSpec, RowSpec } from './dashboardSpec.ts';

/** Grafana's names. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface PlacedPanel {
  readonly panel: PanelSpec;
  readonly place: Place;
}

export interface PlacedRow {
  readonly title: string;
  readonly place: Place;
  readonly panels: readonly PlacedPanel[];
}

const GRID_COLUMNS = 24;
const HEADING_HEIGHT = 1;

/** From left to right, then below: a panel that does not fit begins a line, as high as its highest panel. */
export function layOut(rows: readonly RowSpec[]): readonly PlacedRow[] {
  let y = 0;
  return rows.map(({ title, panels }) => {
    const place = { x: 0, y, w: GRID_COLUMNS, h: HEADING_HEIGHT };
    const placed = placePanels(panels, y + HEADING_HEIGHT);
    y = Math.max(...placed.map((one) => one.place.y + one.place.h));
    return { title, place, panels: placed };
  });
}

function placePanels(panels: readonly PanelSpec[], top: number): PlacedPanel[] {
  let [x, y, lineHeight] = [0, top, 0];
  return panels.map((panel) => {
    const { w, h } = sizeOf(panel);
    if (x + w > GRID_COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
    const place = { x, y, w, h };
    x += w;
    lineHeight = Math.max(lineHeight, h);
    return { panel, place };
  });
}

function sizeOf({ kind, width }: PanelSpec): Pick<Place, 'w' | 'h'> {
  return kind === 'number' ? { w: width ?? 4, h: 4 } : { w: width ?? 8, h: 8 };
}
