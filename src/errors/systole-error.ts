// The one error class for operating errors: code, typed details, hint and the exit status the program ends with.
// Mistakes of ours are asserts, noise from the network is a value, failures of resources are events (style.md section 7).

import {catalogue, type ErrorCode, type ErrorDetails} from './catalogue.js';

interface Row {
  readonly exit: number;
  text(details: unknown): string;
  hint(details: unknown): string;
}

export class SystoleError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'SystoleError';
  readonly code: C;
  readonly details: ErrorDetails<C>;
  readonly hint: string;
  /** LSB exit status for the program that gives up over this. */
  readonly exit: number;

  constructor(code: C, details: ErrorDetails<C>, options?: ErrorOptions) {
    // The constructor's own types tie details to code; the row's functions are only called with its own details.
    const row = catalogue[code] as unknown as Row;
    super(row.text(details), options);
    this.code = code;
    this.details = details;
    this.hint = row.hint(details);
    this.exit = row.exit;
  }
}

/** `error: TEXT [CODE]` and the hint on a line of its own, as programs print it. */
export function formatError(error: SystoleError): string {
  return `error: ${error.message} [${error.code}]\n    hint: ${error.hint}`;
}
