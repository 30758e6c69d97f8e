namespace Espalier.Bench;

/// <summary>What is under way, on stderr.</summary>
internal static class Progress
{
    public static void Say(string text)
    {
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine(text);
        }
        else
        {
            Console.Error.Write($"\r\u001b[2K{text}");
        }
    }

    /// <summary>Makes room on a terminal for what is printed next.</summary>
    public static void Clear()
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.Write("\r\u001b[2K");
        }
    }
}
