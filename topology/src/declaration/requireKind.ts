/** What a program passes where a declaration is wanted: from JavaScript it can be anything. */
import { fault, TopologyError } from '../errors.ts';
import type { Declaration, KindDeclaration } from './declareTopology.ts';

/** @throws TopologyError `DECLARATION_INVALID` where it is not what `declareTopology` returned. */
export function requireDeclaration(declaration: unknown): asserts declaration is Declaration {
  const { kinds, exchange } = Object(declaration) as Partial<Record<keyof Declaration, unknown>>;
  if (Array.isArray(kinds) && typeof exchange === 'string') return;
  const given = declaration === undefined ? 'is undefined' : 'is no declaration';
  throw new TopologyError('DECLARATION_INVALID', [
    fault('DECLARATION_MISSING', 'declaration', `${given}; pass what declareTopology returned`),
  ]);
}

/** @throws TopologyError `DECLARATION_INVALID` naming the kinds that there are. */
export function requireKind(declaration: Declaration, name: unknown): KindDeclaration {
  requireDeclaration(declaration);
  const kind = declaration.kinds.find((candidate) => candidate.kind === name);
  if (kind !== undefined) return kind;
  const names = declaration.kinds.map((candidate) => `'${candidate.kind}'`).join(', ');
  throw new TopologyError('DECLARATION_INVALID', [
    fault(
      'KIND_UNKNOWN',
      'kind',
      `'${String(name)}' is not declared; the declaration has ${names}`,
    ),
  ]);
}
