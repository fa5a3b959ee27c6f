// A Heartbeat message: an ordered list of typed name=value fields (wire-protocol.md section 1). Values are kept as
// latin1 text, one character per byte, so that a state holding messages survives JSON.stringify.

/** 0 string, 1 binary, 2 struct (value: the nested netstring text), 3 list, 4 compressed struct. */
export type FieldType = 0 | 1 | 2 | 3 | 4;

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** The raw bytes of the value as latin1 text. */
  readonly value: string;
}

export interface Message {
  readonly fields: readonly Field[];
}

/** The value of the first field of that name, as the real daemon reads it. */
export function fieldOf(message: Message, name: string): string | undefined {
  for (const field of message.fields) if (field.name === name) return field.value;
  return undefined;
}

/** A message of plain string fields, in the order given; undefined values are left out. */
export function messageOf(values: Readonly<Record<string, string | undefined>>): Message {
  const fields: Field[] = [];
  for (const [name, value] of Object.entries(values)) if (value !== undefined) fields.push({name, type: 0, value});
  return {fields};
}

/** The same message with that field replaced in place, or added at the end. */
export function withField(message: Message, field: Field): Message {
  const at = message.fields.findIndex((each) => each.name === field.name);
  if (at < 0) return {fields: [...message.fields, field]};
  return {fields: message.fields.map((each, index) => (index === at ? field : each))};
}

/** Reads unsigned lower-case or upper-case hexadecimal; undefined when it is not exactly that or above 2^53. */
export function parseHex(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9a-fA-F]{1,13}$/.test(text)) return undefined;
  return Number.parseInt(text, 16);
}

/** Reads an unsigned decimal number; undefined when it is not exactly that. */
export function parseDecimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,15}$/.test(text)) return undefined;
  return Number.parseInt(text, 10);
}
