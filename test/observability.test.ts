// The files of deploy/observability agree with each other and with what Windtunnel sends: nothing here starts a
// container. Ports, hosts and components are named in several files, and a wrong one shows as silence.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ATTRIBUTES } from "@windtunnel/trace";
import { expect, test } from "vitest";
import { parse } from "yaml";

const folder = fileURLToPath(new URL("../deploy/observability", import.meta.url));
const textOf = (name: string): string => readFileSync(path.join(folder, name), "utf8");

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly image: string;
        readonly ports: readonly string[];
        readonly volumes?: readonly string[];
        readonly depends_on?: readonly string[];
      }
    >
  >;
}
interface Collector {
  readonly receivers: {
    readonly otlp: { readonly protocols: { readonly http: { readonly endpoint: string } } };
  };
  readonly connectors: {
    readonly spanmetrics: { readonly dimensions: readonly { readonly name: string }[] };
  };
  readonly exporters: {
    readonly "otlp/jaeger": { readonly endpoint: string };
    readonly prometheus: { readonly endpoint: string };
  };
  readonly service: {
    readonly pipelines: Readonly<
      Record<
        "traces" | "metrics",
        { readonly receivers: readonly string[]; readonly exporters: readonly string[] }
      >
    >;
  };
}
interface Prometheus {
  readonly scrape_configs: readonly {
    readonly static_configs: readonly { readonly targets: readonly string[] }[];
  }[];
}

const compose = parse(textOf("compose.yaml")) as Compose;
const collector = parse(textOf("collector.yaml")) as Collector;
const prometheus = parse(textOf("prometheus.yaml")) as Prometheus;
const readme = textOf("README.md");

const portOf = (endpoint: string): string => endpoint.split(":").at(-1)!;

/** Ports of this machine by service, each with the container's own. */
const published = (service: string): Map<string, string> =>
  new Map(
    compose.services[service]!.ports.map((text) => {
      const [address, outside, inside] = text.split(":");
      expect(address, `${service} is reached from this machine alone`).toBe("127.0.0.1");
      return [outside!, inside!];
    }),
  );

test("images are pinned, and every file that is mounted is there", () => {
  expect(Object.keys(compose.services)).toEqual(["collector", "jaeger", "prometheus"]);
  for (const { image, volumes = [], depends_on = [] } of Object.values(compose.services)) {
    expect(image).toMatch(/^[a-z-]+\/[a-z-]+:v?\d+\.\d+\.\d+$/);
    for (const volume of volumes)
      expect(existsSync(path.join(folder, volume.split(":")[0]!)), volume).toBe(true);
    for (const service of depends_on) expect(Object.keys(compose.services)).toContain(service);
  }
});

test("pipelines consist of defined components, and all of these are used", () => {
  const { traces, metrics } = collector.service.pipelines;
  const { receivers, exporters, connectors } = collector;
  const takenIn = [...traces.receivers, ...metrics.receivers].toSorted();
  const givenOut = [...traces.exporters, ...metrics.exporters].toSorted();
  // A connector ends one pipeline and begins another.
  expect(takenIn).toEqual([...Object.keys(receivers), ...Object.keys(connectors)].toSorted());
  expect(givenOut).toEqual([...Object.keys(exporters), ...Object.keys(connectors)].toSorted());
});

test("metrics are by attributes that spans have", () => {
  const attributes: readonly string[] = Object.values(ATTRIBUTES);
  for (const { name } of collector.connectors.spanmetrics.dimensions) expect(attributes).toContain(name);
});

test("ports and hosts agree between the files", () => {
  expect(published("collector").get("4318")).toBe(portOf(collector.receivers.otlp.protocols.http.endpoint));
  const [host, port] = collector.exporters["otlp/jaeger"].endpoint.split(":");
  expect(Object.keys(compose.services)).toContain(host);
  // Where Jaeger takes OTLP over gRPC unless told otherwise.
  expect(port).toBe("4317");
  const targets = prometheus.scrape_configs.flatMap((scrape) =>
    scrape.static_configs.flatMap((one) => one.targets),
  );
  expect(targets).toEqual([`collector:${portOf(collector.exporters.prometheus.endpoint)}`]);
});

test("the README's four lines lead to published ports, and to the day of virtual time 0", () => {
  expect(readme.match(/^\d\. /gm)).toEqual(["1. ", "2. ", "3. ", "4. "]);
  const urls = [...readme.matchAll(/http:\/\/localhost:\d+[^\s>`]*/g)].map(([text]) => new URL(text));
  const ports = ["collector", "jaeger", "prometheus"].map((service) => [...published(service).keys()][0]);
  expect(urls.map((url) => url.port)).toEqual(ports);
  const window = urls[1]!.searchParams;
  const dayStart = Date.UTC(2025, 0, 1);
  expect(Number(window.get("start"))).toBe(dayStart * 1000);
  expect(Number(window.get("end"))).toBe((dayStart + 24 * 3600 * 1000) * 1000);
  expect(window.get("lookback")).toBe("custom");
});
