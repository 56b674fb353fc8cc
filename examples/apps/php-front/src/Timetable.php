<?php

namespace Ferry;

final class Timetable
{
    public static function next(string $path): string
    {
        return "The next ferry to $path leaves at 8\n";
    }
}
