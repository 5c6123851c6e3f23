/** The definitions of the services a stack starts, in starting order. */
import { alertmanager } from '../service/alertmanager.ts';
import { gateway } from '../service/gateway.ts';
import { type Login, userInfo } from '../service/login.ts';
import { postgresql } from '../service/postgresql.ts';
import { prometheus } from '../service/prometheus.ts';
import { rabbitmq } from '../service/rabbitmq.ts';
import type { ServiceDefinition, ServiceName, StackPlace } from '../service/serviceDefinition.ts';
import type { ServicePlan } from './planServices.ts';
import type { StackUrls } from './stackState.ts';

const DEFINE: Readonly<Record<ServiceName, (place: StackPlace) => ServiceDefinition>> = {
  rabbitmq,
  postgresql,
  gateway,
  alertmanager,
  prometheus,
};

/** One definition per started service. */
export function describeServices(plan: ServicePlan, place: StackPlace): ServiceDefinition[] {
  return plan.start.map((name) => DEFINE[name](place));
}

/** The addresses of the stack: of its own services, with their passwords, else those from the environment. */
export function describeUrls(plan: ServicePlan, place: StackPlace): StackUrls {
  const { ports, brokerUser, alertmanagerUser } = place;
  const http = (name: ServiceName, port: number, login?: Login): string | undefined =>
    plan.start.includes(name) ? `http://${userInfo(login)}127.0.0.1:${port}` : undefined;
  return {
    amqpUrl: plan.amqpUrl ?? `amqp://${userInfo(brokerUser)}127.0.0.1:${ports.amqp}`,
    managementUrl: plan.managementUrl ?? http('rabbitmq', ports.management, brokerUser),
    mongodbUrl: plan.mongodbUrl ?? `mongodb://127.0.0.1:${ports.mongodb}/`,
    prometheusUrl: http('prometheus', ports.prometheus),
    alertmanagerUrl: http('alertmanager', ports.alertmanager, alertmanagerUser),
    brokerMetricsUrl: http('rabbitmq', ports.brokerMetrics),
  };
}
