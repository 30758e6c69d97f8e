using System.Globalization;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary>
/// One line on stderr that long work rewrites. Where stderr is no terminal it is written as ordinary lines, and seldom,
/// so that logs stay short.
/// </summary>
internal sealed class ProgressLine : IDisposable
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan InLog = TimeSpan.FromSeconds(10);

    private readonly bool _isTerminal = !Console.IsErrorRedirected;
    private long _lastShown;
    private bool _isDirty;
    private Func<string>? _heldBack;
    private string? _written;

    /// <summary>Shows a text, unless one was shown a moment ago.</summary>
    /// <param name="text">Made only when it is shown.</param>
    /// <param name="always">Shows it in any case.</param>
    public void Show(Func<string> text, bool always = false)
    {
        TimeSpan pause = _isTerminal ? OnTerminal : InLog;
        if (!always && _lastShown != 0 && TimeProvider.System.GetElapsedTime(_lastShown) < pause)
        {
            _heldBack = text;
            return;
        }

        if (always)
        {
            ShowHeldBack();
        }

        _heldBack = null;
        Write(text());
        _lastShown = TimeProvider.System.GetTimestamp();
    }

    private void Write(string line)
    {
        if (line == _written)
        {
            return;
        }

        _written = line;
        if (!_isTerminal)
        {
            Console.Error.WriteLine(line);
            return;
        }

        int width = Math.Max(20, AnsiConsole.Profile.Width - 1);
        Console.Error.Write("\r\u001b[2K" + (line.Length > width ? line[..width] : line));
        _isDirty = true;
    }

    /// <summary>The last state of what ends is told: else a bar would stop half way.</summary>
    private void ShowHeldBack()
    {
        if (_heldBack is not null)
        {
            Write(_heldBack());
            _heldBack = null;
        }
    }

    /// <summary>Shows the last text and ends the line, so that what is written next begins a new one.</summary>
    public void Dispose()
    {
        ShowHeldBack();
        if (_isDirty)
        {
            Console.Error.WriteLine();
            _isDirty = false;
        }
    }

    /// <summary>A bar of the given width for a share in [0, 1].</summary>
    public static string Bar(double share, int width)
    {
        int filled = (int)Math.Round(Math.Clamp(share, 0, 1) * width);
        return new string('━', filled) + new string('─', width - filled);
    }

    /// <summary>A time as a person reads it: 1:02:03, 2:03.</summary>
    public static string Time(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time:mm\\:ss}")
        : time.ToString("m\\:ss", CultureInfo.InvariantCulture);
}
