import type { Config } from './schema';

/** containerd's form of a snapshot key: `<namespace>/<sequence>/<name>`. Other clients use what they like. */
const CONTAINERD_KEY = /^([^/]+)\/\d+\/./s;

/** The containerd namespace in a snapshot key, or undefined for a key of another form. */
export function namespaceOf(key: string): string | undefined {
  return CONTAINERD_KEY.exec(key)?.[1];
}

/** Name of the domain that a snapshot belongs to, or undefined where nothing is shared. */
export function domainOf(key: string, domains: Config['domains']): string | undefined {
  const namespace = namespaceOf(key);
  const byNamespace = namespace !== undefined && Object.hasOwn(domains.namespaces, namespace);
  const name = byNamespace ? domains.namespaces[namespace] : domains.default;
  return name === '' ? undefined : name;
}

/** Names of all domains that the configuration can lead to, each once. */
export function configuredDomains(domains: Config['domains']): string[] {
  const names = [domains.default, ...Object.values(domains.namespaces)];
  return [...new Set(names)].filter((name) => name !== '');
}
