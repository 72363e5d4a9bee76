import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * What the JDK's HttpClient gets, as lines "name status version body", the body quoted as in a URL.
 *
 * java HttpClientCalls.java URL
 *
 * With its own settings it offers an upgrade to HTTP/2 with the first request of every connection.
 */
class HttpClientCalls {
    static String url;

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        call("models", "GET", "/v1/models", BodyPublishers.noBody());
        call("score", "POST", "/v1/score", json("{'model': 'tiny', 'input': ['hello', 'abc']}"));
        call("chunked", "POST", "/v1/score", chunked("{'model': 'tiny', 'input': ['hello', 'abc']}"));
        call("completion", "POST", "/v1/completions", json("{'model': 'tiny', 'prompt': 'ab', 'seed': 3}"));
        call("stream", "POST", "/v1/completions",
            json("{'model': 'tiny', 'prompt': 'ab', 'seed': 3, 'stream': true}"));
        call("create", "POST", "/v1/sessions", json("{'model': 'tiny', 'session_id': 'java'}"));
        call("feed", "POST", "/v1/sessions/java/feed", json("{'text': 'hello'}"));
        call("next", "POST", "/v1/sessions/java/next", json("{'top': 2}"));
        call("sample", "POST", "/v1/sessions/java/sample", json("{'max_tokens': 5, 'seed': 3}"));
        call("fork", "POST", "/v1/sessions/java/fork", json("{'session_id': 'java.2'}"));
        call("renew", "POST", "/v1/sessions/java/renew", json("{'ttl_seconds': 77}"));
        call("delete", "DELETE", "/v1/sessions/java", BodyPublishers.noBody());
        atOnce();
    }

    /** The client as it comes, without a connection from an earlier call. */
    static HttpClient client() {
        return HttpClient.newHttpClient();
    }

    static BodyPublisher json(String text) {
        return BodyPublishers.ofString(text.replace('\'', '"'));
    }

    /** A body of unknown length. */
    static BodyPublisher chunked(String text) {
        byte[] bytes = text.replace('\'', '"').getBytes(UTF_8);
        return BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes));
    }

    static HttpRequest request(String method, String path, BodyPublisher body) {
        return HttpRequest.newBuilder(URI.create(url + path))
            .header("Content-Type", "application/json").method(method, body).build();
    }

    static void call(String name, String method, String path, BodyPublisher body) throws Exception {
        print(name, client().send(request(method, path, body), BodyHandlers.ofString()));
    }

    /** Several calls of one client, whose connections all begin with an offer. */
    static void atOnce() throws Exception {
        HttpClient client = client();
        List<CompletableFuture<HttpResponse<String>>> pending = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            HttpRequest asked = request("POST", "/v1/score", json("{'model': 'tiny', 'input': ['" + "a".repeat(i) + "']}"));
            pending.add(client.sendAsync(asked, BodyHandlers.ofString()));
        }
        for (int i = 0; i < 8; i++) print("at_once_" + i, pending.get(i).get());
    }

    static void print(String name, HttpResponse<String> response) {
        String body = URLEncoder.encode(response.body(), UTF_8);
        System.out.println(name + " " + response.statusCode() + " " + response.version() + " " + body);
    }
}
