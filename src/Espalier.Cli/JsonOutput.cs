using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Cli;

/// <summary>JSON on stdout, as people read it and with the names that programs look for.</summary>
internal static class JsonOutput
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    // A line for a program, not a part of a web page.
    private static readonly JsonSerializerOptions Line = new(Options) { WriteIndented = false, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Prints a value on one line, at once.</summary>
    public static void PrintLine<T>(T value)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(value, Line));
        Console.Out.Flush();
    }

    /// <summary>Prints a value.</summary>
    public static void Print<T>(T value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, Options));
}
