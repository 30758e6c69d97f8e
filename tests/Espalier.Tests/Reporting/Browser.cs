using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tests.Reporting;

/// <summary>Debian's chromium without a window, spoken to by its DevTools protocol.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private readonly CancellationTokenSource _deadline = new(Patience);
    private string? _session;
    private int _calls;

    private Browser(Process process, string profile) => (_process, _profile) = (process, profile);

    /// <summary>Where it is; null where it is not.</summary>
    public static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }, Path.Combine).FirstOrDefault(File.Exists);

    /// <summary>What went wrong in scripts, and what the console was told.</summary>
    public List<string> Errors { get; } = [];

    public static async Task<Browser> Start()
    {
        string profile = Directory.CreateTempSubdirectory("browser-").FullName;
        var start = new ProcessStartInfo(Program!)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (string argument in new[]
        {
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
            "--hide-scrollbars", "--remote-debugging-port=0", $"--user-data-dir={profile}", "about:blank",
        })
        {
            start.ArgumentList.Add(argument);
        }

        var browser = new Browser(Process.Start(start)!, profile);
        const string announcement = "DevTools listening on ";
        var said = new StringBuilder();
        string? line;
        while ((line = await browser._process.StandardError.ReadLineAsync(browser._deadline.Token)) is not null
            && !line.StartsWith(announcement, StringComparison.Ordinal))
        {
            said.AppendLine(line);
        }

        Assert.True(line is not null, $"{Program} ended: {said}");
        _ = browser._process.StandardError.ReadToEndAsync();
        await browser._socket.ConnectAsync(new Uri(line![announcement.Length..]), browser._deadline.Token);
        JsonNode target = await browser.Call("Target.createTarget", new JsonObject { ["url"] = "about:blank" });
        JsonNode attached = await browser.Call(
            "Target.attachToTarget", new JsonObject { ["targetId"] = (string)target["targetId"]!, ["flatten"] = true });
        browser._session = (string)attached["sessionId"]!;
        await browser.Call("Page.enable");
        await browser.Call("Runtime.enable");
        await browser.Call("Log.enable");
        return browser;
    }

    /// <summary>Opens a page as wide as is said.</summary>
    /// <param name="file">The page.</param>
    /// <param name="width">In pixels.</param>
    /// <param name="dark">Whether the reader's system is dark.</param>
    /// <param name="print">Whether it is for paper.</param>
    public async Task Open(string file, int width, bool dark, bool print)
    {
        await Call("Emulation.setDeviceMetricsOverride", new JsonObject
        {
            ["width"] = width, ["height"] = 900, ["deviceScaleFactor"] = 1, ["mobile"] = false,
        });
        await Call("Emulation.setEmulatedMedia", new JsonObject
        {
            ["media"] = print ? "print" : "screen",
            ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = dark ? "dark" : "light" }),
        });
        await Call("Page.navigate", new JsonObject { ["url"] = new Uri(file).AbsoluteUri });
        while ((string)(await Evaluate("document.readyState"))! != "complete" || (string)(await Evaluate("location.protocol"))! != "file:")
        {
            await Task.Delay(20, _deadline.Token);
        }
    }

    /// <summary>What an expression comes to in the page.</summary>
    public async Task<JsonNode?> Evaluate(string expression)
    {
        JsonNode answer = await Call("Runtime.evaluate", new JsonObject
        {
            ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true,
        });
        Assert.True(answer["exceptionDetails"] is null, answer.ToJsonString());
        return answer["result"]!["value"];
    }

    /// <summary>Moves the pointer.</summary>
    public Task MovePointer(double x, double y) => Call(
        "Input.dispatchMouseEvent", new JsonObject { ["type"] = "mouseMoved", ["x"] = x, ["y"] = y });

    /// <summary>Keeps a picture of the whole page.</summary>
    public async Task Photograph(string file)
    {
        JsonNode picture = await Call("Page.captureScreenshot", new JsonObject { ["captureBeyondViewport"] = true });
        await File.WriteAllBytesAsync(file, Convert.FromBase64String((string)picture["data"]!), _deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _deadline.Dispose();
        try
        {
            Directory.Delete(_profile, recursive: true);
        }
        catch (IOException)
        {
            // A part of the browser that has not ended yet writes into its profile still.
        }
    }

    private async Task<JsonNode> Call(string method, JsonObject? parameters = null)
    {
        int id = ++_calls;
        var call = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters ?? [] };
        if (_session is not null)
        {
            call["sessionId"] = _session;
        }

        await _socket.SendAsync(Encoding.UTF8.GetBytes(call.ToJsonString()), WebSocketMessageType.Text, true, _deadline.Token);
        while (true)
        {
            JsonNode message = await Receive();
            Note(message);
            if ((int?)message["id"] == id)
            {
                Assert.True(message["error"] is null, $"{method}: {message["error"]?.ToJsonString()}");
                return message["result"]!;
            }
        }
    }

    private void Note(JsonNode message)
    {
        if ((string?)message["method"] is "Runtime.exceptionThrown" or "Log.entryAdded"
            || ((string?)message["method"] == "Runtime.consoleAPICalled" && (string?)message["params"]!["type"] is "error" or "warning"))
        {
            Errors.Add(message["params"]!.ToJsonString());
        }
    }

    private async Task<JsonNode> Receive()
    {
        using var whole = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        WebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(buffer, _deadline.Token);
            whole.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        return JsonNode.Parse(whole.ToArray())!;
    }
}
