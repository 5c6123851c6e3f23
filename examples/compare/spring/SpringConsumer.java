import java.net.URI;
import java.time.Duration;
import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.annotation.EnableRabbit;
import org.springframework.amqp.rabbit.annotation.RabbitListener;
import org.springframework.amqp.rabbit.config.RetryInterceptorBuilder;
import org.springframework.amqp.rabbit.config.SimpleRabbitListenerContainerFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory.ConfirmType;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.retry.RepublishMessageRecovererWithConfirms;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

@Configuration
@EnableRabbit
class SpringConsumer {
  private final JsonMapper mapper =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .build();

  public static void main(String[] args) {
    new AnnotationConfigApplicationContext(SpringConsumer.class).registerShutdownHook();
  }

  @Bean
  CachingConnectionFactory connectionFactory() {
    var factory = new CachingConnectionFactory(URI.create(System.getenv("AMQP_URL")));
    factory.setPublisherConfirmType(ConfirmType.CORRELATED);
    factory.setPublisherReturns(true);
    return factory;
  }

  @Bean
  RabbitAdmin admin(CachingConnectionFactory connectionFactory) {
    return new RabbitAdmin(connectionFactory);
  }

  @Bean
  Queue outbox() {
    return QueueBuilder.durable("outbox")
        .quorum()
        .deliveryLimit(5)
        .deadLetterExchange("")
        .deadLetterRoutingKey("outbox.dead")
        .overflow(QueueBuilder.Overflow.rejectPublish)
        .withArgument("x-dead-letter-strategy", "at-least-once")
        .build();
  }

  @Bean
  Queue deadLetters() {
    return QueueBuilder.durable("outbox.dead").quorum().build();
  }

  @Bean
  DirectExchange mail() {
    return new DirectExchange("mail");
  }

  @Bean
  Binding binding() {
    return BindingBuilder.bind(outbox()).to(mail()).with("mail.send");
  }

  @Bean
  SimpleRabbitListenerContainerFactory rabbitListenerContainerFactory(
      CachingConnectionFactory connectionFactory) {
    var template = new RabbitTemplate(connectionFactory);
    template.setMandatory(true);
    var recoverer =
        new RepublishMessageRecovererWithConfirms(
            template, "", "outbox.dead", ConfirmType.CORRELATED);
    var factory = new SimpleRabbitListenerContainerFactory();
    factory.setConnectionFactory(connectionFactory);
    factory.setConcurrentConsumers(10);
    factory.setPrefetchCount(1);
    factory.setContainerCustomizer(container -> container.setShutdownTimeout(20_000));
    factory.setAdviceChain(
        RetryInterceptorBuilder.stateless()
            .configureRetryPolicy(
                policy ->
                    policy
                        .maxRetries(3)
                        .delay(Duration.ofMillis(100))
                        .multiplier(5)
                        .maxDelay(Duration.ofMillis(2_500))
                        .excludes(Work.NoSuchAddress.class, JacksonException.class))
            .recoverer(recoverer)
            .build());
    return factory;
  }

  @RabbitListener(queues = "outbox")
  void handle(Message message) throws InterruptedException {
    var mail = mapper.readValue(message.getBody(), Work.Mail.class);
    var properties = message.getMessageProperties();
    int attempt = (int) properties.getHeaders().getOrDefault("attempt", 0) + 1;
    properties.setHeader("attempt", attempt);
    Work.send(mail, attempt);
  }
}
