import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

public class Assess {
    public static void main(String[] args) throws Exception {
        var env = System.getenv();
        var url = env.getOrDefault("TRIAGE_URL", "http://127.0.0.1:8000");
        var body = """
            {"id": "工单-003", "text": "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"}""";
        var request = HttpRequest.newBuilder(URI.create(url + "/v1/assess"))
            .timeout(Duration.ofSeconds(10))
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + env.getOrDefault("TRIAGE_KEY", ""))
            .POST(HttpRequest.BodyPublishers.ofString(body)).build();
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        for (int left = 3; ; left--) {  // the complaint's own id makes it safe to send it again
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            var wait = answer.headers().firstValue("Retry-After");
            if (wait.isEmpty() || left == 0) {
                System.out.println(answer.statusCode() + " " + answer.body());
                return;
            }
            Thread.sleep(Long.parseLong(wait.get()) * 1000);
        }
    }
}
