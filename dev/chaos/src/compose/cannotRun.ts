/** This machine cannot run the check; the message says why, as a clause. Exit code 3, not a failure of what is checked. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}
