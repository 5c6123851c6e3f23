/**
 * Runs in the page.
 * @returns the texts whose contrast with their background is below 4.5 to 1 (WCAG AA).
 */
export function lowContrastTexts(): string[] {
  const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: number[]) => {
    const [red = 0, green = 0, blue = 0] = colour
      .map((value) => value / 255)
      .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backgroundOf = (from: Element | null): string => {
    if (from === null) return 'rgb(255, 255, 255)';
    const colour = getComputedStyle(from).backgroundColor;
    return channels(colour)[3] === 0 ? backgroundOf(from.parentElement) : colour;
  };
  const opacity = (from: Element | null): number =>
    from === null ? 1 : Number(getComputedStyle(from).opacity) * opacity(from.parentElement);
  /** A colour that is not opaque mixes with its background. */
  const mixed = (front: number[], back: number[], share: number) =>
    [0, 1, 2].map((index) => share * (front[index] ?? 0) + (1 - share) * (back[index] ?? 0));
  return [...document.querySelectorAll('h1,h2,h3,p,dt,dd,a,button,span,strong,time')]
    .filter((element) => element.textContent.trim() !== '' && element.getClientRects().length > 0)
    .flatMap((element) => {
      const [text, background] = [
        channels(getComputedStyle(element).color),
        channels(backgroundOf(element)),
      ];
      const [front, back] = [mixed(text, background, opacity(element)), background].map(luminance);
      const ratio = (Math.max(front!, back!) + 0.05) / (Math.min(front!, back!) + 0.05);
      return ratio < 4.5 ? [`${ratio.toFixed(1)}: ${element.textContent.slice(0, 40)}`] : [];
    });
}
