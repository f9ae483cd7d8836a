import picomatch from 'picomatch';
import { isDomainName, type Config, type DomainRule } from './schema';

/** containerd's form of a snapshot key: `<namespace>/<sequence>/<name>`. Other clients use what they like. */
const CONTAINERD_KEY = /^([^/]+)\/\d+\/./s;

/** Label by which somebody asks for a domain when a container is made. */
export const DOMAIN_LABEL = 'containerd.io/snapshot/ishare.domain';

/** Label with the reference of an image, which the CRI plugin puts on the snapshots of its layers. */
export const IMAGE_LABEL = 'containerd.io/snapshot/cri.image-ref';

/** The containerd namespace in a snapshot key, or undefined for a key of another form. */
export function namespaceOf(key: string): string | undefined {
  return CONTAINERD_KEY.exec(key)?.[1];
}

/** Characters of a refused name that are told. */
const LONGEST_REFUSED = 80;

type Labels = Readonly<Record<string, string>>;

/** A snapshot that wants a domain. */
export interface DomainRequest {
  readonly key: string;
  readonly labels: Labels;
  /** Labels of the committed snapshot below it; they tell the image where its own do not. */
  readonly parentLabels?: Labels | undefined;
}

/** The domain of a snapshot, and why. */
export interface DomainDecision {
  /** Undefined: it shares with nobody. */
  readonly domain: string | undefined;
  /** What in the configuration decided it, such as `domains.rules[2]` or `domains.default`. */
  readonly rule: string;
  /** The domain that a label asked for and did not get, fit for a line in a log. */
  readonly refused: string | undefined;
}

interface CompiledRule {
  readonly name: string;
  matches(request: Subject): boolean;
  /** The domain where the rule gives one, undefined where it goes on to the next. */
  choose(asked: string | undefined): string | undefined;
}

/** What rules look at. */
interface Subject {
  readonly namespace: string | undefined;
  readonly image: string | undefined;
  readonly labels: Labels;
}

/** Decides who shares with whom, by the `[domains]` of the configuration: the first that matches counts. */
export class DomainPolicy {
  readonly #rules: readonly CompiledRule[];

  constructor(private readonly domains: Config['domains']) {
    this.#rules = domains.rules.map(compile);
  }

  decide({ key, labels, parentLabels }: DomainRequest): DomainDecision {
    const namespace = namespaceOf(key);
    const image = own(labels, IMAGE_LABEL) ?? own(parentLabels ?? {}, IMAGE_LABEL);
    const asked = own(labels, DOMAIN_LABEL);
    const subject = { namespace, image, labels };
    for (const rule of this.#rules) {
      if (!rule.matches(subject)) continue;
      const domain = rule.choose(asked);
      if (domain !== undefined) return decision(domain, rule.name, asked);
    }
    const { namespaces } = this.domains;
    const byNamespace = namespace === undefined ? undefined : own(namespaces, namespace);
    if (byNamespace !== undefined) return decision(byNamespace, `domains.namespaces.${namespace}`, asked);
    return decision(this.domains.default, 'domains.default', asked);
  }

  /** Names of all domains that the configuration names, each once; what labels may choose by pattern is not among them. */
  names(): string[] {
    const chosen = this.domains.rules.flatMap(({ domain, choose = [] }) => [domain ?? '', ...choose]);
    const names = [this.domains.default, ...Object.values(this.domains.namespaces), ...chosen];
    return [...new Set(names)].filter((name) => name !== '' && isDomainName(name));
  }
}

/** @param domain "": none. @param asked what a label asked for: refused unless it is what came out. */
function decision(domain: string, rule: string, asked: string | undefined): DomainDecision {
  return {
    domain: domain === '' ? undefined : domain,
    rule,
    refused: asked === domain ? undefined : shortened(asked),
  };
}

/** No domain's name is as long as what is left. */
function shortened(asked: string | undefined): string | undefined {
  if (asked === undefined || asked.length <= LONGEST_REFUSED) return asked;
  return `${asked.slice(0, LONGEST_REFUSED)}... (${asked.length} characters)`;
}

function compile(rule: DomainRule, index: number): CompiledRule {
  const namespace = optionalPattern(rule.namespace);
  const image = optionalPattern(rule.image);
  const labels = Object.entries(rule.labels).map(([name, value]) => [name, pattern(value)] as const);
  const allowed = rule.choose?.map(pattern);
  return {
    name: `domains.rules[${index}]`,
    matches: (subject) =>
      namespace(subject.namespace) &&
      image(subject.image) &&
      labels.every(([name, matches]) => {
        const value = own(subject.labels, name);
        return value !== undefined && matches(value);
      }),
    choose: (asked) => {
      if (allowed === undefined) return rule.domain;
      const may = asked !== undefined && isDomainName(asked) && allowed.some((matches) => matches(asked));
      return may ? asked : undefined;
    },
  };
}

function optionalPattern(text: string | undefined): (value: string | undefined) => boolean {
  if (text === undefined) return () => true;
  const matches = pattern(text);
  return (value) => value !== undefined && matches(value);
}

function pattern(text: string): (value: string) => boolean {
  const matches = picomatch(text, { dot: true, nonegate: true });
  return (value) => matches(value);
}

/** Labels come from outside: names that every JavaScript object has are none. */
function own(values: Labels, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
