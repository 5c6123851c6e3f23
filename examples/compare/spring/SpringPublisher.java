import java.net.URI;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory.ConfirmType;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitTemplate;

/** Publishes a message with a key that nobody is bound to, and prints what the publisher is told. */
class SpringPublisher {
  public static void main(String[] args) throws Exception {
    var factory = new CachingConnectionFactory(URI.create(System.getenv("AMQP_URL")));
    factory.setPublisherConfirmType(ConfirmType.CORRELATED);
    factory.setPublisherReturns(true);
    var template = new RabbitTemplate(factory);
    template.setMandatory(true);
    var correlation = new CorrelationData("unknown");
    template.convertAndSend("mail", "mail.unknown", "{}", correlation);
    correlation.getFuture().get(10, TimeUnit.SECONDS);
    var returned = correlation.getReturned();
    System.out.println(
        returned == null
            ? "silent"
            : "told: the confirmed CorrelationData has returned " + returned.getReplyText());
    System.exit(0);
  }
}
