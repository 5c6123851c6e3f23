/** Goal: Grafana finds data source and dashboards, and they cannot be changed in it. Method: files against compose and sources. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { INTERVAL } from '../../src/config/renderScrapeConfig.ts';
import { DATASOURCE_UID } from '../../src/dashboards/renderDashboards.ts';
import { service } from '../support/composeFile.ts';

const PROVISIONING = join(import.meta.dirname, '../../grafana/provisioning');

function read(path: string): unknown {
  return parse(readFileSync(join(PROVISIONING, path), 'utf8'));
}

test('the data source has the uid of the dashboards and the interval of the scrapes', () => {
  const { datasources } = read('datasources/prometheus.yml') as {
    datasources: {
      uid: string;
      url: string;
      editable: boolean;
      jsonData: { timeInterval: string };
    }[];
  };
  assert.equal(datasources.length, 1);
  assert.equal(datasources[0]?.uid, DATASOURCE_UID);
  assert.equal(datasources[0].jsonData.timeInterval, INTERVAL);
  assert.equal(datasources[0].url, 'http://prometheus:9090');
  assert.equal(datasources[0].editable, false);
});

test('the dashboards are mounted read-only where Grafana reads them, and cannot be saved', () => {
  const { providers } = read('dashboards/fit.yml') as {
    providers: { allowUiUpdates: boolean; disableDeletion: boolean; options: { path: string } }[];
  };
  const { volumes = [], environment = {} } = service('grafana');
  const path = providers[0]?.options.path ?? '';
  assert.ok(volumes.includes(`./prometheus/grafana/dashboards:${path}:ro`));
  assert.ok(volumes.includes('./prometheus/grafana/provisioning:/etc/grafana/provisioning:ro'));
  assert.equal(providers[0]?.allowUiUpdates, false);
  assert.equal(providers[0].disableDeletion, true);
  const home = environment['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'];
  assert.equal(home, `${path}/fit-overview.json`);
});
