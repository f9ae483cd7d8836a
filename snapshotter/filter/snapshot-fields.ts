import { Kind } from '../../proto/snapshots';
import type { SnapshotInfo } from '../snapshot-info';
import type { FieldLookup } from './filter';

/** What filters can ask of a snapshot: kind, name, parent ("" where there is none), labels.KEY (KEY may hold dots). */
export function snapshotFields(snapshot: SnapshotInfo): FieldLookup {
  return ([field, ...rest]) => {
    switch (field) {
      case 'kind':
        return kindWord(snapshot.kind);
      case 'name':
        return snapshot.name;
      case 'parent':
        return snapshot.parent;
      case 'labels': {
        const key = rest.join('.');
        return Object.hasOwn(snapshot.labels, key) ? snapshot.labels[key] : undefined;
      }
      default:
        return undefined;
    }
  };
}

function kindWord(kind: SnapshotInfo['kind']): string {
  switch (kind) {
    case Kind.VIEW:
      return 'view';
    case Kind.ACTIVE:
      return 'active';
    case Kind.COMMITTED:
      return 'committed';
  }
}
