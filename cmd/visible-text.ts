/**
 * Text with its control characters written as `\u001b`: names of snapshots come from outside, and must neither break a
 * line nor steer the terminal.
 */
export function visibleText(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
