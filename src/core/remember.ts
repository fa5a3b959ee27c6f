// The groups in force are told to the edge before any script of theirs runs, so that a successor of this manager measures
// what may run here, not only what haresources names by then: a line that was removed or changed while its group runs
// is in no file any more. With the claims: who took a group last keeps it, also when its daemon was started again since.

import {type Draft, ownsGroup} from './draft.js';

export function rememberGroups(draft: Draft): void {
  const {state} = draft;
  const groups = state.groups.map((group) => group.definition);
  // What is not measured yet is nobody's, unless a predecessor had it.
  const owned = state.groups.filter((group) => ownsGroup(group) && (group.state !== 'unknown' || group.isInherited));
  const claims = Object.fromEntries(owned.map(({definition, claim}) => [definition.key, claim]));
  const text = JSON.stringify({groups, claims});
  if (text === state.remembered) return;
  state.remembered = text;
  draft.effects.push({type: 'remember-groups', groups, claims});
}
